export type { DiscoveryEvents, DiscoveryOptions } from './discovery.js';
export { Discovery } from './discovery.js';
export type { DnsOptions, DnsResolver, Find, FoundPeer } from './find.js';
export { byAddress, byFile, bySrv } from './find.js';
export type { FollowOptions } from './follow.js';
export { follow } from './follow.js';
