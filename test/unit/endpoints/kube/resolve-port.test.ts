import { describe, expect, test } from 'vitest';
import {
  type PortResolution,
  resolvePodPort,
  resolveServicePort,
} from '../../../../src/endpoints/kube/resolve-port.ts';
import type { KubeService, Slice, SlicePort } from '../../../../src/endpoints/kube/slice.ts';

function slice(name: string, ports: readonly SlicePort[], pods = 1): Slice {
  const endpoints = Array.from({ length: pods }, (_, pod) => ({
    ip: `10.0.0.${pod}`,
    state: 'ready' as const,
    pod: '',
  }));
  return { name, service: 'codec', family: 'IPv4', ports, endpoints, unready: 0 };
}

function portsOf(resolution: PortResolution, slices: readonly Slice[]): readonly (number | undefined)[] {
  return resolution.kind === 'resolved' ? slices.map(resolution.portOf) : [];
}

const service: KubeService = {
  name: 'codec',
  externalName: undefined,
  family: 'IPv4',
  dualStack: false,
  ports: [
    { name: 'http', port: 80 },
    { name: '8080', port: 81 },
  ],
};

describe("a Service's port", () => {
  const slices = [slice('a', [{ name: 'http', port: 8080 }]), slice('b', [{ name: 'http', port: 8081 }])];

  test.each([80, 'http'])('%j leads to the port of its name in each slice', (wanted) => {
    expect(portsOf(resolveServicePort(wanted, service, slices), slices)).toEqual([8080, 8081]);
  });

  test('a name of digits is a name, not a number', () => {
    const named = [slice('a', [{ name: '8080', port: 9000 }])];
    expect(portsOf(resolveServicePort('8080', service, named), named)).toEqual([9000]);
    expect(resolveServicePort(8080, service, named).kind).toBe('absent');
  });

  test('the only port has no name', () => {
    const one = { ...service, ports: [{ name: '', port: 80 }] };
    const unnamed = [slice('a', [{ name: '', port: 8080 }])];
    expect(portsOf(resolveServicePort(80, one, unnamed), unnamed)).toEqual([8080]);
  });

  test('that the Service does not have: the ports there are', () => {
    expect(resolveServicePort(8443, service, slices)).toMatchObject({
      kind: 'absent',
      message: 'Service codec has no TCP port 8443',
      fix: 'write one of the ports there are: 80 (http), 81 (8080)',
    });
    expect(resolveServicePort('web', { ...service, ports: [] }, [])).toMatchObject({
      message: 'Service codec has no TCP port "web"',
      fix: 'give the Service a TCP port',
    });
  });

  test("that no pod has: the pods' ports", () => {
    const other = [slice('a', [{ name: 'grpc', port: 9000 }])];
    expect(resolveServicePort(80, service, other)).toMatchObject({
      kind: 'absent',
      message: 'no pod of Service codec serves its port 80',
      fix: "compare the Service's targetPort with the pods' ports: 9000 (grpc)",
    });
  });

  test('slices without pods say nothing about ports', () => {
    expect(resolveServicePort(80, service, [slice('a', [], 0)]).kind).toBe('resolved');
    expect(resolveServicePort(80, service, []).kind).toBe('resolved');
  });

  test('pods that do not serve it are left out where others do', () => {
    const some = [slice('a', [{ name: 'http', port: 8080 }]), slice('b', [{ name: 'grpc', port: 9000 }])];
    expect(portsOf(resolveServicePort(80, service, some), some)).toEqual([8080, undefined]);
  });
});

describe("the pods' own port", () => {
  test('goes to the slices that have it, where some do', () => {
    const slices = [slice('a', [{ name: 'web', port: 20109 }]), slice('b', [{ name: 'web', port: 20108 }])];
    const resolution = resolvePodPort(20109, slices);
    expect(portsOf(resolution, slices)).toEqual([20109, undefined]);
    expect(resolution).not.toHaveProperty('warning');
  });

  test('is used as it is where none does, and that is said', () => {
    const slices = [slice('a', [{ name: 'web', port: 8080 }]), slice('b', [{ name: 'web', port: 8080 }])];
    const resolution = resolvePodPort(20109, slices);
    expect(portsOf(resolution, slices)).toEqual([20109, 20109]);
    expect(resolution).toHaveProperty(
      'warning',
      "port 20109 is not among the pods' ports that the Service leads to (8080 (web)); used as it is",
    );
  });

  test.each([[[]], [[slice('a', [])]], [[slice('a', [{ name: '', port: undefined }])]]])(
    'needs no port of the Service',
    (slices) => {
      const resolution = resolvePodPort(20109, slices);
      expect(resolution).toMatchObject({ kind: 'resolved' });
      expect(resolution).not.toHaveProperty('warning');
      expect(portsOf(resolution, slices)).toEqual(slices.map(() => 20109));
    },
  );
});
