-- The texts that customers have signed, by the SHA-256 of each. They name nobody.
CREATE TABLE agreements (
    company_id TEXT NOT NULL,
    version TEXT NOT NULL,
    text TEXT NOT NULL,
    first_signed_at BIGINT NOT NULL,
    PRIMARY KEY (company_id, version)
);
