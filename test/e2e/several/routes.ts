import type { RouteFile } from '../kit/sluice.ts';

/** One service with a limit, `codec`, which one Envoy carries at a time, and one without, `web`, for as many as like. */
export const CODEC_AND_WEB: RouteFile = {
  services: { codec: { static: ['127.0.1.1:9000'], limit: 1 }, web: { static: ['127.0.1.2:9000'] } },
  routes: [
    { match: { path: '/encode' }, service: 'codec' },
    { match: { prefix: '/' }, service: 'web' },
  ],
};

/** The clusters of an Envoy that carries both. */
export const ALL_CLUSTERS = ['codec', 'web'];

/** One service with a limit, `codec`. */
export const CODEC: RouteFile = {
  services: { codec: { static: ['127.0.1.1:9000'], limit: 1 } },
  routes: [{ match: { path: '/encode' }, service: 'codec' }],
};
