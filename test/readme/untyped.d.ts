/** What the guide uses of packages that bring no types. */
declare module '@markwylde/liferaft' {
  export default class LifeRaft {
    readonly address: string;
    constructor(address: string, options: object);
    emit(event: string, ...args: readonly unknown[]): boolean;
    on(event: string, listener: (leader: string) => void): this;
    join(address: string): void;
  }
}

declare module 'axon' {
  interface Socket {
    bind(address: string): void;
    connect(address: string): void;
    on(event: string, listener: (...args: readonly unknown[]) => void): void;
    send(packet: unknown, answered: (data: unknown) => void): void;
  }
  const axon: { socket(type: 'req' | 'rep'): Socket };
  export default axon;
}

declare module 'redlock' {
  interface Lock {
    extend(ms: number): Promise<Lock>;
    unlock(): Promise<void>;
  }
  export default class Redlock {
    constructor(clients: readonly object[], options: object);
    lock(name: string, ms: number): Promise<Lock>;
  }
}
