/** A module of NestJS: the node starts with the application, answers on its port, and hands over when it shuts down. */
import {
  type BeforeApplicationShutdown,
  type DynamicModule,
  Global,
  Inject,
  type MiddlewareConsumer,
  Module,
  type NestModule,
  type OnApplicationBootstrap,
} from '@nestjs/common';
import { RaftNode, type RaftNodeOptions } from 'raftbeat';
import { HttpTransport } from 'raftbeat/http';

@Global()
@Module({})
export class RaftModule implements NestModule, OnApplicationBootstrap, BeforeApplicationShutdown {
  @Inject(RaftNode) private readonly raft!: RaftNode;
  @Inject(HttpTransport) private readonly transport!: HttpTransport;

  /** Provides a `RaftNode` for the whole application. */
  static forRoot(options: Omit<RaftNodeOptions, 'transport'>): DynamicModule {
    const transport = new HttpTransport({ listen: false });
    const providers = [
      { provide: HttpTransport, useValue: transport },
      { provide: RaftNode, useFactory: () => new RaftNode({ ...options, transport }) },
    ];
    return { module: RaftModule, providers, exports: [RaftNode] };
  }

  configure(consumer: MiddlewareConsumer): void {
    consumer.apply(this.transport.handler).forRoutes('{*path}');
  }

  onApplicationBootstrap(): Promise<void> {
    return this.raft.start();
  }

  beforeApplicationShutdown(): Promise<void> {
    return this.raft.stop();
  }
}
