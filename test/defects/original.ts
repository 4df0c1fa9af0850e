import { CORE, type Defect, DRIVER, model, PEER_SET, patch, RULES, scenario, simulator } from './defect.js';

/** What the original does, where it was mended (protocol, section 2). */
export const ORIGINAL: readonly Defect[] = [
  {
    name: 'D1: a higher term in a beat is not adopted',
    patches: [
      patch(
        CORE,
        'if (peer.term > this.#self.term && rules.adoptsHigherTerms) this.#adopt(peer.term, now);',
        '',
      ),
    ],
    foundBy: [simulator(1), scenario('higher-term')],
  },
  {
    name: 'D2: any vote counts, of any term, for whomever it was',
    patches: [
      patch(
        PEER_SET,
        "self.state !== 'CANDIDATE' || reply.term !== self.term || reply.voteFor !== self.ip",
        "self.state !== 'CANDIDATE' || reply.voteFor === null",
      ),
      patch(CORE, 'if (reply.granted) this.#decide(', 'if (true) this.#decide('),
    ],
    foundBy: [simulator(1), model({ keepDead: true })],
  },
  {
    name: 'D3: a leader leads for ever',
    patches: [
      patch(
        RULES,
        'adoptsHigherTerms: true,\n    leases: true',
        'adoptsHigherTerms: true,\n    leases: false',
      ),
    ],
    foundBy: [simulator(1), model()],
  },
  {
    name: 'D4: term and vote are not saved',
    patches: [
      patch(DRIVER, 'await this.#save(output);', 'this.#core.saved(output.state, this.#now(), output.data);'),
    ],
    foundBy: [simulator(1)],
  },
  {
    name: 'D4: the core asks for no save',
    patches: [
      patch(
        CORE,
        'this.#saving = {\n      term,',
        'this.#durable = this.#saving;\n    return;\n    this.#saving = {\n      term,',
      ),
    ],
    foundBy: [simulator(1), model({ crashes: 1 })],
  },
  {
    name: 'D5: a beat rewrites votes, and two leaders of one term are both followed',
    patches: [
      patch(RULES, 'leases: true,\n    oneLeaderPerTerm: true', 'leases: true,\n    oneLeaderPerTerm: false'),
    ],
    foundBy: [simulator(1), scenario('conflicting-beat')],
  },
  {
    name: 'D6: a message of a stranger is taken',
    patches: [
      patch(
        CORE,
        'if (isStranger && !this.peers.contains(ip))',
        'if (isStranger && !this.peers.contains(ip) && false)',
      ),
    ],
    foundBy: [simulator(3)],
  },
  {
    name: 'D7: the voter acts as the original does',
    patches: [
      patch(
        RULES,
        'oneLeaderPerTerm: true,\n    grantsUnspentVotes: true',
        'oneLeaderPerTerm: true,\n    grantsUnspentVotes: false',
      ),
    ],
    foundBy: [simulator(1), scenario('split-vote')],
  },
  {
    name: 'D10: no pre-vote',
    patches: [patch(CORE, 'else this.#openRound(now);', 'else this.#campaign(now, false);')],
    foundBy: [simulator(1), scenario('flapping')],
  },
];
