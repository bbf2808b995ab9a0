import { connect as plainConnect, isIP, type Socket } from "node:net";
import { Agent, request } from "node:https";
import { type ConnectionOptions, connect } from "node:tls";
import { ExchangeFailure, type Wire } from "./exchange.ts";

/** Contents of PEM files. */
export interface TlsFiles {
  readonly ca?: Buffer;
  readonly cert?: Buffer;
  readonly key?: Buffer;
}

/**
 * A wire to an https address. The certificate is always checked: `rejectUnauthorized` is said outright, so that neither
 * `NODE_TLS_REJECT_UNAUTHORIZED` nor `VAULT_SKIP_VERIFY` has a say.
 */
export function tlsWire(address: string, files: TlsFiles, proxy: string | undefined): Wire {
  const origin = new URL(address);
  const agent = new Agent({ keepAlive: true, rejectUnauthorized: true, minVersion: "TLSv1.2", ...files });
  if (proxy !== undefined) throughProxy(agent, origin, new URL(proxy), files);
  return { origin, agent, request };
}

/** Bytes of a proxy's answer to CONNECT. */
const MOST_HEAD = 8192;

/** A tunnel (RFC 9110, CONNECT): the proxy sees the host's name and ciphertext, no token. */
function throughProxy(agent: Agent, origin: URL, proxy: URL, files: TlsFiles): void {
  // Not for an address: RFC 6066 wants a name there.
  const name = isIP(origin.hostname) === 0 ? { servername: origin.hostname } : { host: origin.hostname };
  const tls: ConnectionOptions = {
    ...name,
    rejectUnauthorized: true,
    minVersion: "TLSv1.2",
    ...files,
  };
  const target = `${origin.hostname}:${origin.port === "" ? "443" : origin.port}`;
  Object.assign(agent, {
    createConnection(_: unknown, done: (error: Error | null, socket?: Socket) => void) {
      openTunnel(proxy, target, (failure, socket) => {
        if (socket === undefined) done(failure);
        else done(null, connect({ ...tls, socket }));
      });
    },
  });
}

type Tunneled = (failure: Error | null, socket?: Socket) => void;

function openTunnel(proxy: URL, target: string, done: Tunneled): void {
  const socket = plainConnect(Number(proxy.port === "" ? "80" : proxy.port), proxy.hostname);
  let head = "";
  const fail = (message: string) => {
    socket.destroy();
    done(new ExchangeFailure("network", message, false));
  };
  const broken = () => fail("the proxy cannot be reached");
  const read = (chunk: Buffer) => {
    head += chunk.toString("latin1");
    if (head.length > MOST_HEAD) fail("the proxy's answer is too long");
    else if (head.includes("\r\n\r\n")) answered();
  };
  const answered = () => {
    socket.off("data", read);
    socket.off("error", broken);
    if (/^HTTP\/1\.[01] 200\b/.test(head)) done(null, socket);
    else fail("the proxy refused the connection");
  };
  socket.on("data", read);
  socket.on("error", broken);
  socket.once("connect", () => socket.write(`CONNECT ${target} HTTP/1.1\r\nhost: ${target}\r\n\r\n`));
}
