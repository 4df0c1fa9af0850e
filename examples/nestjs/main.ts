/**
 * A NestJS service with a schedule that runs on one of its processes only. Start it three times:
 *
 *     export TSX_TSCONFIG_PATH=examples/nestjs/tsconfig.json M=127.0.0.1:3001,127.0.0.1:3002,127.0.0.1:3003
 *     node --import tsx examples/nestjs/main.ts 127.0.0.1:3001 $M
 */
import 'reflect-metadata';
import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Cron, ScheduleModule } from '@nestjs/schedule';
import { LeaderOnly } from './leader-only.js';
import { RaftModule } from './raft.module.js';

const [ip = '127.0.0.1:3001', members = ip] = process.argv.slice(2);

@Injectable()
class Reports {
  @Cron('* * * * * *')
  @LeaderOnly()
  make(): void {
    console.log(`the job, on ${ip}`);
  }
}

@Module({
  imports: [ScheduleModule.forRoot(), RaftModule.forRoot({ ip, members: members.split(',') })],
  providers: [Reports],
})
class AppModule {}

const { hostname, port } = new URL(`http://${ip}`);
const app = await NestFactory.create(AppModule, { logger: ['error', 'warn'] });
app.enableShutdownHooks();
await app.listen(Number(port), hostname);
console.log(`http://${ip}`);
