/**
 * Runs `run` while no other process, and no other call of this one, holds the lock of `path`: the name of a file that
 * exists only while the lock is held. Its folder is made where it is missing. A holder that was killed is superseded at
 * once. `patience` is how long a holder that lives is waited for, in milliseconds; 15 seconds where it is not given.
 * @throws UserError locked, naming the holder, where it is not free in time; else what `run` throws
 */
export type Lock = <T>(path: string, run: () => Promise<T>, patience?: number) => Promise<T>;
