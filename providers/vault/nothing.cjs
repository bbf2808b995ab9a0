// Stands in for axios and debug in the bundle: node-vault loads both, and with our transport calls neither.
module.exports = () => () => {};
