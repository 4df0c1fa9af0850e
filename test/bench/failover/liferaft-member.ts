/** liferaft, over axon, as in its own example. */
import { createRequire } from 'node:module';
import { memberArguments, serveMember } from './member.js';

const require = createRequire(import.meta.url);

interface Socket {
  bind(address: string): void;
  connect(address: string): void;
  set(name: string, value: number): void;
  on(event: string, listener: (...args: never[]) => void): void;
  send(packet: object, answered: (data: unknown) => void): void;
}

interface LifeRaft {
  readonly address: string;
  readonly state: number;
  readonly term: number;
  emit(event: string, ...args: unknown[]): boolean;
  on(event: string, listener: () => void): void;
  join(address: string): void;
}

const axon = require('axon') as { socket(type: 'rep' | 'req'): Socket };
const LifeRaft = require('@markwylde/liferaft') as {
  new (address: string, options: object): LifeRaft;
  readonly LEADER: number;
};

const { ip, ips, directory, options } = memberArguments();

class AxonRaft extends LifeRaft {
  #socket: Socket | null = null;

  initialize(): void {
    const socket = axon.socket('rep');
    socket.bind(`tcp://${this.address}`);
    socket.on('message', (data: unknown, answer: unknown) => this.emit('data', data, answer));
    socket.on('error', () => {});
  }

  write(packet: object, answered: (error: undefined, data: unknown) => void): void {
    if (this.#socket === null) {
      this.#socket = axon.socket('req');
      this.#socket.set('hwm', -1);
      this.#socket.connect(`tcp://${this.address}`);
      this.#socket.on('error', () => {});
    }
    this.#socket.send(packet, (data) => answered(undefined, data));
  }
}

let raft: LifeRaft | null = null;
let heard: (term: number) => void = () => {};

serveMember(
  {
    start: async () => {
      const own = new AxonRaft(ip, options);
      raft = own;
      own.on('leader change', () => heard(own.term));
      for (const other of ips) if (other !== ip) own.join(other);
    },
    leads: () => raft?.state === LifeRaft.LEADER,
    onLeader: (listener) => {
      heard = listener;
    },
  },
  directory,
);
