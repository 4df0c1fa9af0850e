/** Bytes of the heap of a server of etcd that are in use, as it tells itself. */
export async function goHeapBytes(url: string): Promise<number> {
  const metrics = await (await fetch(`${url}/metrics`)).text();
  return Number(/^go_memstats_heap_alloc_bytes (\S+)$/m.exec(metrics)?.[1]);
}
