/** Why a document is not shown: one of the page's reasons. */
export class Refusal extends Error {
  constructor(reason) {
    super(reason);
    this.reason = reason;
  }
}
