import type { ResolveRequest } from "../../src/core/provider.ts";
import type { Secret } from "../../src/core/secret.ts";
import type { Ask, Client } from "./client.ts";

/** A client with a token: whoever holds it can ask in that name. */
export interface Session {
  readonly store: string;
  readonly client: Client;
  readonly token: Secret;
  /** True where the token was taken over from an earlier launch. */
  readonly shared?: boolean;
  readonly now: () => number;
}

/** An ask of the session, within the request's time. `repeatable` where asking twice does no harm. */
export function ask(session: Session, request: ResolveRequest, repeatable = true): Ask {
  return { token: session.token, deadline: request.deadline, signal: request.signal, repeatable };
}
