/** A plaintext secret in an entry. */
export interface Finding {
  readonly server: string;
  /** RFC 6901 pointer into the config, of the string that holds it. */
  readonly pointer: string;
  /** UTF-16 offsets in the decoded string, end exclusive. */
  readonly start: number;
  readonly end: number;
  /** Where it stands. */
  readonly place: "env" | "arg" | "header" | "url";
  /** What it is: `password`, `api-key`, `github-token`, `connection-string`, … */
  readonly kind: string;
  readonly confidence: "high" | "medium";
  /** Why it was taken for a secret, in a few words and without the value. */
  readonly reason: string;
  /** The variable, flag or header that it stands under, as written, or a noun where there is none: `password`. */
  readonly name: string;
  /** True where the value is percent-encoded at its place: the user-info or the query of a URL. */
  readonly encoded: boolean;
}
