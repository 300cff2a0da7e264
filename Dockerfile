# Owns the images of Headstart: `cpu` (the default, small) and `gpu` (libtensorflow 2.9.1 with CUDA 11.2).
# Needs BuildKit: Docker 23 or later, or buildah.
ARG NODE_IMAGE=node:20.20.2-bookworm-slim
ARG CUDA_IMAGE=nvidia/cuda:11.2.2-cudnn8-runtime-ubuntu20.04

# Compiles and packs: the images hold exactly the files that the npm package publishes.
FROM ${NODE_IMAGE} AS package
WORKDIR /build
COPY package.json package-lock.json ./
RUN --mount=type=cache,target=/root/.npm npm ci --ignore-scripts --no-audit --no-fund
COPY . .
RUN npm run build \
  && npm pack --ignore-scripts --pack-destination /tmp \
  && mkdir /package \
  && tar -xzf /tmp/headstart-*.tgz -C /package --strip-components=1 \
  && chmod 755 /package/dist/src/cli/main.js

# No package's install script runs, but for the one that `gpu-modules` names.
FROM ${NODE_IMAGE} AS modules
WORKDIR /app
COPY package.json package-lock.json ./
# npm has ended without an error and without packages before: `npm ls` fails when one is missing.
RUN --mount=type=cache,target=/root/.npm npm ci --omit=dev --ignore-scripts --no-audit --no-fund \
  && npm ls --omit=dev --depth=0

# Without the `tensorflow` engine. `npm ci --omit=optional` would also leave out sharp's libraries.
FROM modules AS cpu-modules
RUN npm uninstall --no-save --omit=dev --ignore-scripts --no-audit --no-fund @tensorflow/tfjs-node-gpu \
  && find node_modules -name '*.map' -delete

# With the `tensorflow` engine: its install script downloads libtensorflow and the binding. An image
# without them would quietly compute on wasm, so the build ends here when one is missing.
FROM modules AS gpu-modules
RUN npm rebuild --foreground-scripts @tensorflow/tfjs-node-gpu \
  && test -s node_modules/@tensorflow/tfjs-node-gpu/deps/lib/libtensorflow.so.2 \
  && test -s node_modules/@tensorflow/tfjs-node-gpu/lib/napi-v8/tfjs_binding.node \
  && find node_modules -name '*.map' -delete

FROM ${CUDA_IMAGE} AS gpu
LABEL org.opencontainers.image.title="Headstart (NVIDIA GPU)" \
  org.opencontainers.image.description="Extract features once, train many heads: API and workers" \
  org.opencontainers.image.licenses="Apache-2.0"
RUN groupadd --gid 1000 node \
  && useradd --uid 1000 --gid node --no-create-home node \
  && install --directory --owner=node --group=node /data
COPY --from=gpu-modules /usr/local/bin/node /usr/local/bin/node
COPY --from=gpu-modules /app/node_modules /app/node_modules
COPY --from=package /package /app
# Loads libtensorflow once, so that a library that is missing here ends the build.
RUN ln -s /app/dist/src/cli/main.js /usr/local/bin/headstart \
  && node -e "require('/app/node_modules/@tensorflow/tfjs-node-gpu')" \
  && headstart --version
ENV NODE_ENV=production HOME=/data TF_FORCE_GPU_ALLOW_GROWTH=true CUDA_CACHE_PATH=/data/.nv
USER 1000:1000
WORKDIR /data
ENTRYPOINT ["headstart"]
CMD ["--help"]

FROM ${NODE_IMAGE} AS cpu
LABEL org.opencontainers.image.title="Headstart" \
  org.opencontainers.image.description="Extract features once, train many heads: API and workers" \
  org.opencontainers.image.licenses="Apache-2.0"
COPY --from=cpu-modules /app/node_modules /app/node_modules
COPY --from=package /package /app
RUN install --directory --owner=node --group=node /data \
  && ln -s /app/dist/src/cli/main.js /usr/local/bin/headstart \
  && headstart --version
ENV NODE_ENV=production HOME=/data
USER 1000:1000
WORKDIR /data
ENTRYPOINT ["headstart"]
CMD ["--help"]
