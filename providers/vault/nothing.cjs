// Stands in, in the bundle, for what node-vault loads and never calls the way we use it.
module.exports = () => () => {};
