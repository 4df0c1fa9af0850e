import type { Selection } from './choices.js';
import { Circle } from './circle.js';
import { part, write } from './dom.js';
import { Live } from './live.js';
import { LiveControls, leaderText } from './live-controls.js';
import { newPalette } from './palette.js';
import { Panel } from './panel.js';
import { Player } from './player.js';
import { fromHash, NEW_RUN, type Run, toHash, type Verb } from './run.js';
import { ScenarioShow } from './scenario.js';
import { SCENARIO_NAMES, scenarioText } from './scenario-files.js';
import { ScenarioPanel } from './scenario-panel.js';
import type { Show } from './show.js';
import { onClick, Transport } from './transport.js';

/** How long after the last change the address follows. */
const LINK_MS = 100;

let selection: Selection = null;
let scenarioName: string | null = null;
let soughtAt: number | null = null;
let linkTimer: ReturnType<typeof setTimeout> | undefined;

const player = new Player<Live | ScenarioShow>(new Live(NEW_RUN), {
  draw,
  paused: keepLink,
  failed: (error) => write(part('notice', HTMLElement), `Something went wrong: ${String(error)}`),
});
const circle = new Circle(part('circle', SVGSVGElement), select);
const panel = new Panel(act, select);
const live = new LiveControls(newPalette(), { open: (run) => openRun({ ...NEW_RUN, ...run }), seek });
const transport = new Transport({
  toggle,
  still: (work) => {
    pause();
    withShow(work);
  },
  select,
  speed: (speed) => {
    if (player.show instanceof Live) player.show.speed = speed;
  },
});
const scenarios = new ScenarioPanel(openScenario, (commands) =>
  withShow((show) => (show instanceof ScenarioShow ? show.goTo(commands) : Promise.resolve())),
);

// ---- What is shown

function openRun(run: Run): void {
  const show = new Live(run);
  show.speed = transport.speed;
  open(show);
  live.opened(run);
  const isCalm = matchMedia('(prefers-reduced-motion: reduce)').matches;
  void player.do(async () => {
    if (run.until === null) {
      await show.goToFirstLeader();
      keepLink();
    }
    player.isPlaying = !isCalm;
  });
}

function openScenario(text: string, name: string | null): void {
  scenarioName = name;
  const show = new ScenarioShow(text);
  open(show);
  scenarios.opened(name);
  void player.do(() => show.step()).then(keepLink);
}

function open(show: Live | ScenarioShow): void {
  select(null);
  player.open(show);
  const isLive = show instanceof Live;
  document.body.dataset['mode'] = isLive ? 'live' : 'scenario';
  part('to-live', HTMLButtonElement).setAttribute('aria-pressed', String(isLive));
  part('to-scenarios', HTMLButtonElement).setAttribute('aria-pressed', String(!isLive));
}

function openLink(): void {
  write(part('notice', HTMLElement), '');
  const name = /^#scenario=([\w-]+)/.exec(location.hash)?.[1];
  const text = name === undefined ? null : scenarioText(name);
  if (name !== undefined && text !== null) {
    openScenario(text, name);
    return;
  }
  const run = fromHash(location.hash);
  if (run === null && location.hash.length > 1)
    write(part('notice', HTMLElement), 'This link is damaged: here is a new run instead.');
  openRun(run ?? NEW_RUN);
}

/**
 * What is shown is in the address, too: reloading and sharing repeat it. Browsers allow few changes a second, and none is made
 * while a moment is half done.
 */
function keepLink(): void {
  clearTimeout(linkTimer);
  linkTimer = setTimeout(() => void player.do(async () => writeLink()), LINK_MS);
}

function writeLink(): void {
  const { show } = player;
  const named = scenarioName === null ? '#' : `#scenario=${scenarioName}`;
  history.replaceState(null, '', show instanceof Live ? toHash(show.run) : named);
  part('link', HTMLInputElement).value = location.href;
}

// ---- What is done

function select(chosen: Selection): void {
  selection = chosen;
  if (chosen?.type === 'message') pause();
  // At once: the next key means what is chosen now.
  drawPanel();
  player.redraw();
}

function act(verb: Verb, target: string): void {
  withShow((show) => (show instanceof Live ? show.act(verb, target) : Promise.resolve()));
}

/** A slider asks for more moments than can be shown: only the last one counts. */
function seek(at: number): void {
  pause();
  const isAsked = soughtAt !== null;
  soughtAt = at;
  if (isAsked) return;
  withShow((show) => {
    const sought = soughtAt;
    soughtAt = null;
    return show instanceof Live && sought !== null ? show.goTo(sought) : Promise.resolve();
  });
}

function withShow(work: (show: Show) => Promise<void>): void {
  void player.do(() => work(player.show)).then(keepLink);
}

function pause(): void {
  player.isPlaying = false;
}

function toggle(): void {
  player.isPlaying = !player.isPlaying;
  player.redraw();
  if (!player.isPlaying) withShow(async () => {});
}

// ---- What is seen

function draw(): void {
  const { show, isPlaying } = player;
  const { picture } = show;
  circle.draw(picture, selection);
  drawPanel();
  write(part('now', HTMLElement), `${(picture.now / 1_000).toFixed(3)} s`);
  write(part('leader', HTMLElement), leaderText(picture));
  transport.draw(isPlaying);
  if (show instanceof Live) live.draw(show);
  else scenarios.draw(show);
}

function drawPanel(): void {
  const { show, isPlaying } = player;
  panel.draw(selection, show.picture, show instanceof Live, isPlaying);
}

// ---- Beginning

onClick('to-live', () => openRun(NEW_RUN));
onClick('to-scenarios', () => {
  const name = SCENARIO_NAMES.includes('stalled') ? 'stalled' : (SCENARIO_NAMES[0] ?? '');
  openScenario(scenarioText(name) ?? '', name);
});
onClick('copy', () => {
  void player.do(async () => {
    writeLink();
    part('link', HTMLInputElement).select();
    await navigator.clipboard.writeText(location.href).then(
      () => write(part('notice', HTMLElement), 'The link is copied.'),
      () => write(part('notice', HTMLElement), 'Copy the link that is selected.'),
    );
  });
});
new ResizeObserver(() => player.redraw()).observe(document.body);
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => player.redraw());
addEventListener('hashchange', openLink);
openLink();
