// Three peers on one machine under pm2: `pm2 start ecosystem.config.cjs`, and `pm2 reload billing` for a rolling restart.
const names = ['billing-0', 'billing-1', 'billing-2'];

module.exports = {
  apps: names.map((name, at) => ({
    name,
    namespace: 'billing',
    script: 'service.js',
    env: {
      POD: name,
      MEMBERS: names.join(' '),
      PEERS: 'peers.json',
      DATA: `data/${name}`,
      HOST: '127.0.0.1',
      PORT: String(7001 + 2 * at),
      ADMIN_PORT: String(7002 + 2 * at),
    },
    // pm2 ends a process by SIGINT, which hands leadership over, and kills what is not over after that.
    kill_timeout: 10_000,
  })),
};
