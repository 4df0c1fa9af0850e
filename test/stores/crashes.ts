import { DiskModel, type DiskStep, type DiskWrite, hashOf, type Image } from './images.js';

/** A step, how many saves had been acknowledged before it, and how many had been begun. */
export interface NotedStep {
  readonly step: DiskStep;
  readonly acknowledged: number;
  readonly begun: number;
}

/** What a crash after each of `steps` may leave, each once. */
export function* crashes<Noted extends NotedStep>(
  steps: readonly Noted[],
): Generator<[image: Image, noted: Noted, what: string]> {
  const model = new DiskModel();
  const seen = new Set<string>();
  for (const [at, noted] of steps.entries()) {
    model.take(noted.step);
    for (const image of model.images()) {
      const hash = `${hashOf(image)} ${noted.acknowledged} ${noted.begun}`;
      if (seen.has(hash)) continue;
      seen.add(hash);
      yield [image, noted, `after step ${at}, ${noted.step.type}`];
    }
  }
}

/** Each write of lines at the end of what a file holds, and the disk just before it. */
export function* appends<Noted extends NotedStep>(
  steps: readonly Noted[],
): Generator<{ model: DiskModel; noted: Noted; write: DiskWrite & { position: number } }> {
  const model = new DiskModel();
  for (const noted of steps) {
    const { step } = noted;
    if (step.type === 'write' && step.position !== undefined && step.bytes.includes('\n')) {
      yield { model, noted, write: { ...step, position: step.position } };
    }
    model.take(step);
  }
}

export function isIn(mask: number, bit: number): boolean {
  return bit < 31 && ((mask >> bit) & 1) === 1;
}
