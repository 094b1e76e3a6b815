# The image of Sluice's control plane: docker build -t sluice:0.1.0 .
# Envoy runs beside it from its own official image; see docker-compose.yml and k8s/.

FROM node:24-bookworm-slim AS build
WORKDIR /src
# The dependencies first: as long as these files stay the same, Docker need not fetch them again.
COPY package.json package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY . .
# gen/ from Envoy's protos, dist/ from src/, and then only what runs.
RUN node scripts/ensure.mjs \
 && npm run build \
 && npm prune --omit=dev --no-audit --no-fund \
 && chmod +x dist/main.js \
 # What only editors and debuggers read is more than half of the rest.
 && find node_modules gen dist -type f \
      \( -name '*.ts' -o -name '*.mts' -o -name '*.cts' -o -name '*.map' -o -name '*.md' \) -delete

FROM node:24-bookworm-slim
ENV NODE_ENV=production
# A smaller young generation: 100 MB less with 10,000 pods.
ENV NODE_OPTIONS=--max-semi-space-size=8
WORKDIR /app
# Read by everybody, written by nobody: it runs with a read-only root file system.
COPY --from=build /src/package.json ./
COPY --from=build /src/node_modules ./node_modules
COPY --from=build /src/gen ./gen
COPY --from=build /src/dist ./dist
COPY k8s/base/sluice-probe.sh ./healthcheck.sh
RUN ln -s /app/dist/main.js /usr/local/bin/sluice
# A number, so that Kubernetes can see that it is not root.
USER 1000:1000
# xDS for Envoy, and the admin for people and probes.
EXPOSE 18000 18001
# Whether `serve` or `run` works, by its admin; in Kubernetes the probes do that.
HEALTHCHECK --interval=10s --timeout=8s --start-period=10s CMD ["bash", "/app/healthcheck.sh", "/healthz"]
ENTRYPOINT ["sluice"]
CMD ["serve", "--routes", "/etc/sluice/routes.yaml"]
