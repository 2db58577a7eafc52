# An image of the `speedq` command. Besides the base image, it downloads npm packages and nothing else.
# Any image with Node 20.19 or newer, npm and a user `node` of id 1000 is a base: --build-arg BASE=...
ARG BASE=node:24-slim
FROM ${BASE} AS build
WORKDIR /speedq
COPY . .
RUN npm ci && npm run pack

FROM ${BASE}
COPY --from=build /speedq/build/tarballs /tmp/tarballs
RUN npm install --prefix /opt/speedq --no-audit --no-fund /tmp/tarballs/*.tgz \
  && rm -rf /tmp/tarballs /root/.npm \
  && ln -s /opt/speedq/node_modules/.bin/speedq /usr/local/bin/speedq
# Files in the mounted directory belong to the user of id 1000; `docker run --user` takes another one.
USER node
WORKDIR /work
ENTRYPOINT ["speedq"]
