// Owns what an export may be asked for. Apart from the code that writes it, which loads engines.

/** `all`: everything that is possible; the others are an error where they are not. */
export const EXPORT_FORMATS = ['all', 'tfjs', 'onnx'] as const
export type ExportFormat = (typeof EXPORT_FORMATS)[number]
