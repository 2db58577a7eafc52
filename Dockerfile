# An image of the `speedq` command. Besides the base image, it downloads npm packages and nothing else.
FROM node:24-slim AS build
WORKDIR /speedq
COPY . .
RUN npm ci && npm run pack

FROM node:24-slim
COPY --from=build /speedq/build/tarballs /tmp/tarballs
RUN npm install --prefix /opt/speedq --no-audit --no-fund /tmp/tarballs/*.tgz \
  && rm -rf /tmp/tarballs /root/.npm \
  && ln -s /opt/speedq/node_modules/.bin/speedq /usr/local/bin/speedq
# Files in the mounted directory belong to the user of id 1000; `docker run --user` takes another one.
USER node
WORKDIR /work
ENTRYPOINT ["speedq"]
