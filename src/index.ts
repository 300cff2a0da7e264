// Owns the public surface: named exports only. Everything else may change without notice.
export type { Dataset, Sample, Split, Target } from './dataset/types.js'
export { ERROR_CATALOGUE, type ErrorCode, HeadstartError, isHeadstartError } from './errors.js'
export { addBase, addDataset } from './experiment/add-named.js'
export type { Events } from './experiment/events.js'
export { type ExtractOnlyResult, extractOnly } from './experiment/extract-only.js'
export { type LoadedExperiment, loadExperimentFile } from './experiment/load-file.js'
export { type PushedDataset, pushDataset } from './experiment/push.js'
export { resolveBase, resolveDataset } from './experiment/references.js'
export { type WrittenReport, writeReport } from './experiment/report.js'
export type { ExperimentResult } from './experiment/result.js'
export {
  type ExperimentRequest,
  runExperiment,
} from './experiment/run.js'
export {
  type Experiment,
  type ExperimentInput,
  type ExtractionInput,
  type ExtractionRequest,
  experimentJsonSchema,
  parseExperiment,
  parseExtraction,
} from './experiment/schema.js'
export { verifyRun } from './experiment/verify.js'
export { openWorkspace, type Workspace, type WorkspaceOptions } from './experiment/workspace.js'
export type { Extractor, Row, SampleContent } from './extractor/extractor.js'
export type { ExtractorSpec } from './extractor/spec.js'
export { type FeatureSet, loadFeatureSet } from './features/feature-set.js'
export { loadFeatures } from './features/load-features.js'
export { type CustomHeadOptions, customHead, type HeadFacts } from './head/custom-head.js'
export type { SplitMetrics } from './head/types.js'
export { createHttpService, type HttpServiceOptions } from './http/client.js'
export { type Comparison, compareRuns } from './model/compare.js'
export { type ExportResult, exportRun } from './model/export.js'
export type { ExportFormat } from './model/export-format.js'
export { findRun } from './model/find-run.js'
export { type Input, readInputs } from './model/inputs.js'
export { type Model, openModel } from './model/open-model.js'
export { type NamedPrediction, type PredictedLabels, predictInputs } from './model/predict.js'
export type { Parity, RunRecord } from './model/run-record.js'
export { loadSweep, type SweepHead, type SweepRecord } from './model/sweep-record.js'
export { type OpenService, openService, type ServiceOptions } from './queue/open-service.js'
export type {
  EnqueueOptions,
  ExtractionHandle,
  ExtractionJobResult,
  JobHandle,
  JobProgress,
  JobResult,
  JobState,
  JobView,
  Service,
  TrainingHandle,
  TrainingJobResult,
} from './queue/types.js'
export type { RunningWorker } from './queue/workers.js'
export { openStore } from './store/open.js'
export type { Store } from './store/port.js'
export { VERSION } from './version.js'
