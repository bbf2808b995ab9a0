// In place of node:fs/promises, which loads what reads folders, watches them and reads lines: five milliseconds. The
// files are the SDK's own, a few hundred bytes each: to read them in another thread takes longer than to read them.
const { readFileSync } = require("node:fs");

exports.readFile = async (path, options) => readFileSync(path, options);
