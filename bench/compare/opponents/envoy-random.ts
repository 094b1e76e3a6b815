import { plainEnvoy } from './envoy-process.ts';

/** A random pod for each request (plain Envoy, `random`): what the iptables mode of kube-proxy does, at its best, when every request has a connection of its own. With gRPC it chooses per connection, as kube-proxy does. */
export const random = plainEnvoy({
  name: 'random',
  title: 'Random pod',
  about:
    'A random pod for each request (plain Envoy, `random`): what the iptables mode of kube-proxy does, at its best, when every request has a connection of its own. With gRPC it chooses per connection, as kube-proxy does.',
  policy: { name: 'random', message: 'Random' },
  connectionsForGrpc: true,
});
