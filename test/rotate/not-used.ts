const never = () => Promise.reject(new Error("not used here"));

/** Of the options of a store: what those in these tests do not need. */
export const NOT_USED = { lookUp: never, http: never, openSeal: never };
