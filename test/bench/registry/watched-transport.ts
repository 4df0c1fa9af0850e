import type { RaftReply, RaftRequest, Receive } from 'raftbeat';
import { HttpTransport } from 'raftbeat/http';

/** What peers were asked by others. */
export interface Traffic {
  /** The longest beat without batches, in bytes of JSON. */
  readonly beatBytes: number;
  /** How many beats brought batches along. */
  readonly dataBeats: number;
}

/** The http transport, and notes of what came in. */
export class WatchedTransport extends HttpTransport {
  #traffic: Traffic = { beatBytes: 0, dataBeats: 0 };

  override start(local: string, receive: Receive): Promise<void> {
    return super.start(local, (request, from): Promise<RaftReply> => {
      this.#note(request as RaftRequest);
      return receive(request, from);
    });
  }

  takeTraffic(): Traffic {
    const traffic = this.#traffic;
    this.#traffic = { beatBytes: 0, dataBeats: 0 };
    return traffic;
  }

  #note(request: RaftRequest): void {
    if (request.type !== 'beat') return;
    const { beatBytes, dataBeats } = this.#traffic;
    if ((request.data?.batches.length ?? 0) > 0) this.#traffic = { beatBytes, dataBeats: dataBeats + 1 };
    else this.#traffic = { beatBytes: Math.max(beatBytes, JSON.stringify(request).length), dataBeats };
  }
}
