/** Another thread of this process. */
export interface Thread {
  /**
   * The answer to a message; both are what `structuredClone` copies. Nothing waits for a thread that was asked nothing.
   * @throws Error where the thread failed or has ended
   */
  ask(message: unknown): Promise<unknown>;
}

/** The threads that do the arithmetic of many secrets, started when first called for; none where they would not help. */
export type Threads = () => Promise<readonly Thread[]>;
