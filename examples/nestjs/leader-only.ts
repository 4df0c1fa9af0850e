import 'reflect-metadata';
import { Inject } from '@nestjs/common';
import { RaftNode } from 'raftbeat';

const NODE = Symbol('raftbeat');

/** Has a method, such as that of a `@Cron`, do nothing but on the leader. The order of the decorators does not matter. */
export function LeaderOnly(): MethodDecorator {
  return (target, _name, descriptor: PropertyDescriptor) => {
    Inject(RaftNode)(target, NODE);
    const method = descriptor.value as (...args: unknown[]) => unknown;
    function onLeader(this: { [NODE]: RaftNode }, ...args: unknown[]): unknown {
      return this[NODE].isLeader() ? method.apply(this, args) : undefined;
    }
    for (const key of Reflect.getMetadataKeys(method))
      Reflect.defineMetadata(key, Reflect.getMetadata(key, method), onLeader);
    descriptor.value = onLeader;
  };
}
