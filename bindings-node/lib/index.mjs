// The same classes for import and require: there is one of each.
export { Backproof, BackproofError, verifyBackups } from './index.cjs';
