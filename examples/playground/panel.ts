import { type Choice, choicesFor, type Selection, selectedPeer } from './choices.js';
import { html, part, write } from './dom.js';
import { isUnderWay, type MessageView, type PeerView, type Picture } from './picture.js';
import type { Verb } from './run.js';

/** What is selected: what is known of it, and what can be done to it. */
export class Panel {
  readonly #title = part('selected', HTMLElement);
  readonly #facts = part('facts', HTMLElement);
  readonly #choices = part('choices', HTMLElement);
  readonly #others = part('others', HTMLElement);
  readonly #act: (verb: Verb, target: string) => void;
  readonly #select: (selection: Selection) => void;
  #shownChoices = '';
  #shownOthers = '';

  constructor(act: (verb: Verb, target: string) => void, select: (selection: Selection) => void) {
    this.#act = act;
    this.#select = select;
  }

  draw(selection: Selection, picture: Picture, canAct: boolean, isPlaying: boolean): void {
    const message = picture.messages.find(
      ({ number }) => selection?.type === 'message' && String(number) === selection.id,
    );
    const peer = selectedPeer(selection, picture);
    write(this.#title, titleOf(selection, peer, message));
    write(this.#facts, factsOf(peer, message, picture));
    const choices = canAct ? choicesFor(selection, picture) : [];
    this.#drawChoices(message === undefined || isUnderWay(message, picture.now) ? choices : choices.map(off));
    this.#drawOthers(peer, picture, canAct, isPlaying);
  }

  #drawChoices(choices: readonly Choice[]): void {
    const shown = JSON.stringify(choices);
    if (shown === this.#shownChoices) return;
    this.#shownChoices = shown;
    const focused = document.activeElement?.getAttribute('data-choice');
    this.#choices.replaceChildren(
      ...choices.map((choice, at) => {
        const { key, label, verb, target, isOff, isOn } = choice;
        const button = html('button', { type: 'button', 'data-key': key, 'data-choice': String(at) }, label);
        if (key !== '') button.append(' ', html('kbd', {}, key.toUpperCase()));
        button.disabled = isOff;
        if (isOn !== null) button.setAttribute('aria-pressed', String(isOn));
        button.addEventListener('click', () => this.#act(verb, target));
        return button;
      }),
    );
    if (focused != null) this.#choices.querySelector<HTMLElement>(`[data-choice="${focused}"]`)?.focus();
  }

  /** Links of the peer, and when time stands still the messages under way: for whoever uses no mouse. */
  #drawOthers(peer: PeerView | null, picture: Picture, canAct: boolean, isPlaying: boolean): void {
    const links = canAct && peer !== null ? linksOf(peer.ip, picture) : [];
    const messages = isPlaying ? [] : picture.messages.filter((message) => isUnderWay(message, picture.now));
    const shown = JSON.stringify([links, messages.map(({ number }) => number)]);
    if (shown === this.#shownOthers) return;
    this.#shownOthers = shown;
    const toButton = (text: string, selection: Selection): HTMLElement => {
      const button = html('button', { type: 'button', class: 'small' }, text);
      button.addEventListener('click', () => this.#select(selection));
      return button;
    };
    this.#others.replaceChildren(
      ...links.map((id) => toButton(`link ${id.replace('-', ' – ')}`, { type: 'link', id })),
      ...messages.map(({ number, from, to, text }) =>
        toButton(`${from} → ${to} ${text}`, { type: 'message', id: String(number) }),
      ),
    );
  }
}

function off(choice: Choice): Choice {
  return { ...choice, isOff: true };
}

function linksOf(ip: string, { peers }: Picture): readonly string[] {
  return peers.filter((other) => other.ip !== ip).map((other) => [ip, other.ip].sort().join('-'));
}

function titleOf(selection: Selection, peer: PeerView | null, message: MessageView | undefined): string {
  if (selection === null) return peer === null ? 'Nobody leads' : `The leader, ${peer.ip}`;
  if (selection.type === 'message')
    return message === undefined
      ? 'A message of the past'
      : `${message.from} → ${message.to}: ${message.text}`;
  return selection.type === 'peer' ? `Peer ${selection.id}` : `Link ${selection.id.replace('-', ' – ')}`;
}

function factsOf(peer: PeerView | null, message: MessageView | undefined, { now }: Picture): string {
  if (message !== undefined) {
    if (message.lostAt <= now) return 'It is lost.';
    const left = message.arrivesAt - now;
    return left > 0 ? `It arrives in ${left.toFixed(1)} ms.` : 'It has arrived.';
  }
  if (peer === null) return '';
  const { mode, term, voteFor, leader, leaseLeftMs, boundTo, boundMs } = peer;
  if (mode === 'down') return 'Its process is gone; its disk remains.';
  const facts = [
    `${mode}, term ${term}`,
    `voted for ${voteFor ?? 'nobody'}`,
    `follows ${leader ?? 'nobody'}`,
  ];
  if (leaseLeftMs > 0 && Number.isFinite(leaseLeftMs)) facts.push(`lease for ${leaseLeftMs.toFixed(0)} ms`);
  if (boundTo !== null) facts.push(`bound to ${boundTo} for ${boundMs.toFixed(0)} ms`);
  return facts.join(' · ');
}
