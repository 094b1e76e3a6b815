import type { Position } from '../../model/problem.ts';
import { annotationKeys, numeric } from '../objects/service-settings.ts';
import type { Value } from '../objects/value.ts';
import { fullName, type Subject, type YamlMap } from './draft.ts';

/** A port of a Service in one of the files. */
interface KnownPort {
  readonly name: string | undefined;
  readonly port: string | undefined;
  readonly target: string | undefined;
  readonly appProtocol: string | undefined;
}

/** A Service in one of the files. */
interface KnownService {
  readonly ports: readonly KnownPort[];
  readonly externalName: string | undefined;
  readonly settings: YamlMap;
}

/** Pods of a Service that something leads to. */
export interface Backend {
  readonly namespace: string | undefined;
  readonly name: string;
  /** Of the Service, by number or by name. */
  readonly port: string;
}

/** The Services that stand in the files beside what leads to them: their ports and annotations say more. */
export class KubeServices {
  readonly #known = new Map<string, KnownService>();

  /** Takes a Service object in. */
  add(object: Value): void {
    const name = object.textAt('metadata', 'name') ?? '';
    const namespace = object.textAt('metadata', 'namespace');
    const ports = object.list('spec', 'ports').map((port) => ({
      name: port.textAt('name'),
      port: port.textAt('port'),
      target: port.textAt('targetPort'),
      appProtocol: port.textAt('appProtocol'),
    }));
    const externalName = object.textAt('spec', 'externalName');
    const settings = annotationKeys((name) => object.textAt('metadata', 'annotations', name));
    this.#known.set(fullName({ namespace, name }), { ports, externalName, settings });
    object.done();
  }

  /** The port of a Service when it has only one. */
  onlyPort(namespace: string | undefined, name: string): string | undefined {
    const ports = this.#known.get(fullName({ namespace, name }))?.ports ?? [];
    return ports.length === 1 ? ports[0]?.port : undefined;
  }

  /** The port of a Service that leads to a port of its pods. */
  portOfTarget(namespace: string | undefined, name: string, target: string): string | undefined {
    const ports = this.#known.get(fullName({ namespace, name }))?.ports ?? [];
    return ports.find((one) => (one.target ?? one.port) === target)?.port;
  }

  /** Adds a Service's pods to the draft, with what the Service itself says; returns the service's key. */
  lead(subject: Subject, at: Position, { namespace, name, port }: Backend, settings: YamlMap = {}): string {
    const known = this.#known.get(fullName({ namespace, name }));
    const longName = [...(namespace === undefined ? [] : [namespace]), name, port].join('.');
    if (known?.externalName !== undefined) {
      const number = known.ports.find((one) => one.name === port)?.port ?? port;
      const locator = { dns: { host: known.externalName, port: numeric(number) } };
      return subject.service(at, { name, longName, locator, settings });
    }
    const where = namespace === undefined ? {} : { namespace };
    const locator = { kubernetes: { ...where, service: name, port: numeric(port) } };
    const key = subject.service(at, { name, longName, locator, settings });
    const own = known?.ports.find((one) => one.port === port || one.name === port);
    const protocol = protocolOf(own?.appProtocol ?? own?.name);
    if (known !== undefined) {
      const implied = protocol === undefined || settings['protocol'] !== undefined ? {} : { protocol };
      subject.tell(at, key, { ...implied, ...known.settings });
    }
    return key;
  }
}

/** Of `appProtocol`, or of a port's name as meshes read it: `grpc-api`. */
function protocolOf(said: string | undefined): string | undefined {
  switch (said?.toLowerCase().replace(/^(grpc|http2)-(?!web).*$/, '$1')) {
    case 'kubernetes.io/h2c':
    case 'grpc':
    case 'http2':
      return 'h2c';
    case 'https':
      return 'https';
    default:
      return undefined;
  }
}
