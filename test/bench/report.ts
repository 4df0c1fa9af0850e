import { writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';

/** What the machine was like, from the start of a run on. */
export class Machine {
  readonly #loadBefore = loadavg();

  /** Prints how busy it was, writes `result` beside it into `file`, and tells where. */
  report(file: string, result: object): void {
    const machine = {
      node: process.version,
      cpus: cpus().length,
      loadBefore: this.#loadBefore,
      loadAfter: loadavg(),
    };
    const [before, after] = [machine.loadBefore[0]?.toFixed(1), machine.loadAfter[0]?.toFixed(1)];
    console.log(`${machine.cpus} processors, load ${before} before, ${after} after`);
    writeFileSync(file, `${JSON.stringify({ machine, ...result }, null, 2)}\n`);
    console.log(file);
  }
}
