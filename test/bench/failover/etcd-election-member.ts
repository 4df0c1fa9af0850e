/** A service that uses `Election` of etcd3, with a cluster of etcd beside it. */
import { Etcd3 } from 'etcd3';
import { memberArguments, serveMember } from './member.js';

const { ip, directory, options } = memberArguments();
const election = new Etcd3({ hosts: options.hosts }).election('bench', options.ttlSeconds);
let leads = false;

function campaign(): ReturnType<typeof election.campaign> {
  const own = election.campaign(ip);
  own.on('elected', () => {
    leads = true;
  });
  own.on('error', () => {
    leads = false;
    setTimeout(campaign, 100);
  });
  return own;
}

let own: ReturnType<typeof campaign> | null = null;
serveMember(
  {
    start: async () => {
      own = campaign();
    },
    leads: () => leads,
    resign: async () => {
      leads = false;
      await own?.resign();
      own = campaign();
    },
  },
  directory,
);
