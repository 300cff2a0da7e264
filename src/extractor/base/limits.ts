// Owns what a base may cost: every number that bounds hostile or mistaken input.

/** model.json; the largest Keras application has 1.5 MB. */
export const MAX_MODEL_JSON_BYTES = 64 * 2 ** 20
/** All weight files together. */
export const MAX_WEIGHT_BYTES = 2 ** 31 - 1
export const MAX_PARAMETERS = 500_000_000
export const MAX_WEIGHT_FILES = 10_000
/** A download that brings nothing for so long is given up. */
export const DOWNLOAD_TIMEOUT_MS = 60_000
/** Of an ONNX graph with the graphs inside its nodes; the largest models have some 10,000. */
export const MAX_ONNX_NODES = 100_000
/** Of an ONNX file, all but the raw bytes of weights. */
export const MAX_ONNX_STRUCTURE_BYTES = 64 * 2 ** 20
/** Fields of its graphs, nodes, attributes and weights together. */
export const MAX_ONNX_ENTRIES = 2_000_000
