package seen

// SinglesBound is the maximum memory of Singles in bytes.
const SinglesBound = singleBytes
