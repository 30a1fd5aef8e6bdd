/**
 * A client for the Ages surface of Bonafide.
 *
 * Every call returns what became of it; none throws for an answer the server may give, nor for none
 * at all. It knows nothing of pages, so it works as well in a worker or on a server.
 */

/**
 * What a customer says of themselves.
 * @typedef {object} Claim
 * @property {string} customerId     the shop's own name for the customer, 1 to 200 characters
 * @property {string} fullName       given name and family name
 * @property {string} dateOfBirth    YYYY-MM-DD
 * @property {string} idNumberLast4  the last four digits of the ID's number
 * @property {string} state          code of the state, the district or the territory, such as "TX"
 * @property {string} [email]        links the verification to the customer with this address
 */

/** @typedef {"fullName"|"dateOfBirth"|"idNumberLast4"|"state"|"customerId"} ClaimField */

/**
 * The customer is old enough. `method` is "cache" when an earlier verification still held.
 * @typedef {{outcome: "verified", verificationId: string, method: "full_verification"|"cache",
 *   age: number, verifiedAt: Date, expiresAt: Date}} Verified
 */
/**
 * A check refused; it counts as an attempt.
 * @typedef {{outcome: "refused", verificationId: string,
 *   method: "input_validation"|"age_check"|"id_validation", reason: string, field: ClaimField}} Refused
 */
/**
 * Something was left out; no attempt was counted.
 * @typedef {{outcome: "missing", fields: ClaimField[]}} Missing
 */
/**
 * Nothing is checked before `resetAt`.
 * @typedef {{outcome: "used_up", attempts: number, maxAttempts: number, resetAt: Date}} UsedUp
 */
/**
 * What is stored of a customer; `verified` is false once it has expired.
 * @typedef {{outcome: "found", verified: boolean, expired: boolean, verificationId: string,
 *   verifiedAt: Date, expiresAt: Date, age: number, state: string, method: string}} Found
 */
/** @typedef {{outcome: "never_verified"}} NeverVerified */
/**
 * Decided attempts of the last days; `successRate` is a percentage from 0 to 100.
 * @typedef {{outcome: "counted", total: number, passed: number, refused: number,
 *   successRate: number, period: string}} Counted
 */
/** @typedef {{outcome: "healthy"|"unhealthy", storage: string}} Health */

/**
 * Why a call came to nothing:
 * - `unauthenticated`: the token is missing, wrong or has ended (401)
 * - `forbidden`: the token may not do this (403)
 * - `unavailable`: the server cannot answer now (503, or too many requests)
 * - `unreachable`: no answer at all
 * - `failed`: anything else
 * @typedef {{outcome: "unauthenticated"|"forbidden"|"unavailable"|"unreachable"|"failed",
 *   message: string, retryAfter?: number, requestId?: string}} Failure
 */

/** How long to wait for an answer, in milliseconds. The server gives up earlier. */
const PATIENCE = 15_000;

export class AgeApi {
  #base;
  #token;

  /**
   * @param {{baseUrl: string, token: string}} connection  the server's address, and a JWT from the
   *   shop's own server. Never an API key: whatever reaches a browser is public.
   */
  constructor({ baseUrl, token }) {
    this.#base = baseUrl.replace(/\/+$/, "");
    this.#token = token;
  }

  /**
   * Checks a customer's age, or finds that it was checked before.
   * @param {Claim} claim
   * @param {string} [attempt]  a name for this attempt, such as `crypto.randomUUID()`. Sent again
   *   with the same name after a broken connection, the claim is not counted a second time.
   * @returns {Promise<Verified|Refused|Missing|UsedUp|Failure>}
   */
  async verify(claim, attempt) {
    return decided(await this.#post("verify", claim, attempt));
  }

  /**
   * Checks anew, setting an earlier verification aside.
   * @param {Claim} claim
   * @param {string} [attempt]  as for `verify`
   * @returns {Promise<Verified|Refused|Missing|UsedUp|Failure>}
   */
  async resubmit(claim, attempt) {
    return decided(await this.#post("resubmit", claim, attempt));
  }

  /**
   * Looks up whether a customer is verified now.
   * @param {string} customerId
   * @returns {Promise<Found|NeverVerified|Failure>}
   */
  async status(customerId) {
    const path = `/api/age-verification/status/${encodeURIComponent(customerId)}`;
    const { status, body, failure } = await this.#ask(path);
    if (status === 200) return { outcome: "found", ...withDates(body) };
    // A path that does not exist is also a 404, and must not pass for "never verified".
    if (status === 404 && body.verified === false) return { outcome: "never_verified" };
    return failure;
  }

  /**
   * Counts the decided attempts of the last days. Needs the scope `statistics:read` or the role
   * `admin`.
   * @param {number} days  1 to 2557
   * @returns {Promise<Counted|Failure>}
   */
  async statistics(days) {
    const { status, body, failure } = await this.#ask(`/api/age-verification/statistics?days=${days}`);
    if (status !== 200) return failure;
    const { totalAttempts, successfulVerifications, failedVerifications, successRate, period } =
      body.statistics;
    return {
      outcome: "counted",
      total: totalAttempts,
      passed: successfulVerifications,
      refused: failedVerifications,
      successRate: Number(successRate),
      period,
    };
  }

  /**
   * Asks whether the server can verify ages. Needs no token.
   * @returns {Promise<Health|Failure>}
   */
  async health() {
    const { status, body, failure } = await this.#ask("/health/age-verification");
    if (body.storage) return { outcome: status === 200 ? "healthy" : "unhealthy", storage: body.storage };
    return failure;
  }

  #post(action, claim, attempt) {
    const headers = { "Content-Type": "application/json" };
    if (attempt) headers["Idempotency-Key"] = attempt;
    return this.#ask(`/api/age-verification/${action}`, {
      method: "POST",
      headers,
      body: JSON.stringify(claim),
    });
  }

  /** Sends a request; the answer comes with the failure that it is, unless it means something else. */
  async #ask(path, { headers = {}, ...rest } = {}) {
    if (this.#token) headers.Authorization = `Bearer ${this.#token}`;
    const signal = AbortSignal.timeout(PATIENCE);
    // `credentials: "omit"`: the token alone says who asks; no cookie travels along.
    const request = { ...rest, headers, signal, credentials: "omit", cache: "no-store" };
    try {
      const response = await fetch(this.#base + path, request);
      const body = await read(response);
      return { status: response.status, body, failure: failureOf(response, body) };
    } catch {
      const failure = { outcome: "unreachable", message: "The server did not answer." };
      return { status: 0, body: {}, failure };
    }
  }
}

/** The body, if it is a JSON object: a proxy on the way may answer with anything. */
async function read(response) {
  const text = await response.text();
  try {
    const body = JSON.parse(text);
    return body !== null && typeof body === "object" ? body : {};
  } catch {
    return {};
  }
}

/** What an answer to `verify` or `resubmit` means. */
function decided({ status, body, failure }) {
  if (status === 200) return { outcome: "verified", ...withDates(body) };
  if (status === 400 && body.missing) return { outcome: "missing", fields: body.missing };
  if (status === 400 && body.verified === false) return { outcome: "refused", ...body };
  if (status === 429 && body.resetAt) {
    return {
      outcome: "used_up",
      attempts: body.attempts,
      maxAttempts: body.maxAttempts,
      resetAt: new Date(body.resetAt),
    };
  }
  return failure;
}

function withDates(body) {
  return {
    ...body,
    verifiedAt: new Date(body.verifiedAt),
    expiresAt: new Date(body.expiresAt),
  };
}

const OUTCOMES = { 401: "unauthenticated", 403: "forbidden", 429: "unavailable", 503: "unavailable" };

function failureOf(response, body) {
  const retryAfter = Number(response.headers.get("Retry-After"));
  return {
    outcome: OUTCOMES[response.status] ?? "failed",
    message: body.message ?? body.error ?? `The server answered ${response.status}.`,
    retryAfter: retryAfter > 0 ? retryAfter : undefined,
    requestId: response.headers.get("X-Request-Id") ?? undefined,
  };
}
