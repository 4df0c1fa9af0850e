import {
  CORE,
  DATUMS,
  type Defect,
  PEER_SET,
  patch,
  REGISTRY,
  REJOIN,
  REPLICATION,
  registry,
  scenario,
} from './defect.js';

/** Who votes and counts when members, or their disks, come and go (protocol, section 4, members). */
export const MEMBERS: readonly Defect[] = [
  {
    name: 'a voter that lost its disk votes again',
    patches: [
      patch(
        REJOIN,
        'return hasRegistry && (this.#witness !== null || peers.voters.length === 0);',
        'return hasRegistry && peers.voters.length < 0;',
      ),
    ],
    foundBy: [registry(3), scenario('registry-learner')],
  },
  {
    name: 'a voter that lost its disk counts again',
    patches: [patch(REPLICATION, 'progress === undefined || progress.isLearner', 'progress === undefined')],
    foundBy: [registry(3), scenario('registry-learner')],
  },
  {
    name: 'what a voter held counts when it is back, and what it learns as its own',
    patches: [patch(REPLICATION, 'if (progress.isLearner !== isLearner) progress.match = 0;', '')],
    foundBy: [scenario('registry-learner')],
  },
  {
    name: 'a peer that only learns renews the lease',
    patches: [patch(CORE, 'if (sentAt !== undefined && learner === undefined)', 'if (sentAt !== undefined)')],
    foundBy: [registry(13)],
  },
  {
    name: 'members are changed while another change is open',
    patches: [
      patch(
        REGISTRY,
        'if (!this.isCurrent || isChangingMembers || members === null)',
        'if (!this.isCurrent || (isChangingMembers && id < 0) || members === null)',
      ),
    ],
    foundBy: [scenario('registry-one-change')],
  },
  {
    name: 'members are changed before a batch of the own term is committed',
    patches: [patch(REGISTRY, 'if (!this.isCurrent || isChangingMembers', 'if (isChangingMembers')],
    foundBy: [scenario('registry-one-change')],
  },
  {
    name: 'a change of the members is in effect when it is committed',
    patches: [
      patch(
        DATUMS,
        'const waiting = this.#tailOps.get(MEMBERS_KEY);',
        'const waiting = this.#base.seq < 0 ? this.#tailOps.get(MEMBERS_KEY) : undefined;',
      ),
    ],
    foundBy: [registry(2), scenario('registry-change-cut')],
  },
  {
    name: 'a change of the members that was cut stays in effect',
    patches: [
      patch(
        CORE,
        'if (value === null || value === this.#membersValue) return;',
        `if (value === null || value === this.#membersValue) return;
    const lists = this.#registry?.datums.memberLists ?? [];
    if (this.#membersValue !== null && !lists.includes(this.#membersValue)) return;`,
      ),
    ],
    foundBy: [scenario('registry-change-cut')],
  },
  {
    name: 'a peer that was removed is never listened to again',
    patches: [patch(PEER_SET, '    this.#know(ip);\n    this.#isMember = true;', '    this.#know(ip);')],
    foundBy: [registry(2), scenario('registry-promoted')],
  },
  {
    name: 'a leader that a change leaves without a lease beats on',
    patches: [patch(CORE, 'this.#checkLease(at);\n      this.#sendData', 'this.#sendData')],
    foundBy: [scenario('registry-too-few')],
  },
  {
    name: 'a leader that removes itself counts itself',
    patches: [
      patch(
        CORE,
        'return this.peers.majorityCount() - (this.peers.isVoter(this.#self.ip) ? 1 : 0);',
        'return this.peers.majorityCount() - 1;',
      ),
    ],
    foundBy: [scenario('registry-leaves')],
  },
  {
    name: 'whom an open change leaves out is not heard',
    patches: [
      patch(
        CORE,
        'this.#isNews(membersRevision) || this.#standings(ip).length > 0',
        'this.#isNews(membersRevision)',
      ),
    ],
    foundBy: [scenario('registry-leaves-and-leads')],
  },
  {
    name: 'one that does not know of its own promotion does not vote',
    patches: [
      patch(
        CORE,
        'return this.#votes() || this.#isNews(membersRevision) || this.#leavingFrom() !== undefined;',
        'return this.#votes() || this.#leavingFrom() !== undefined;',
      ),
    ],
    foundBy: [scenario('registry-promoted')],
  },
  {
    name: 'one that an open change leaves out does not campaign',
    patches: [
      patch(
        CORE,
        'const priority = (votes ? this.peers.member(ip) : this.#leavingFrom())?.priority ?? 0;',
        'const priority = (votes ? this.peers.member(ip) : undefined)?.priority ?? 0;',
      ),
    ],
    foundBy: [scenario('registry-leaves-and-leads')],
  },
];
