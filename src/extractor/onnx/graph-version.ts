// Owns the version of everything between a base and the graph that onnxruntime is given.

/**
 * Raised whenever the compilers or the passes over a graph may give another graph for the same base, and
 * so other bits. Compiled bases are made anew then, and features of before are compared by tolerance.
 */
export const GRAPH_VERSION = 1
