//! The Merkle tree hash of RFC 6962 §2.1, from leaf hashes to the root.

use super::{Digest, sha256};

/// Prefix of a leaf's hash; it keeps a leaf from passing for a node.
pub(super) const LEAF: &[u8] = &[0x00];
const NODE: &[u8] = &[0x01];

/// The tree's root over leaf hashes. The root of no leaves is SHA-256 of nothing.
///
/// Complete subtrees are joined as soon as they have a sibling of their size
/// (the binary counter's carry), then what is left is folded from the right,
/// which is the same tree that the RFC defines by splitting.
pub fn root(leaves: &[Digest]) -> Digest {
    let mut subtrees: Vec<(u32, Digest)> = Vec::with_capacity(16);
    for leaf in leaves {
        let mut height = 0;
        let mut hash = *leaf;
        while let Some((_, left)) = subtrees.pop_if(|(below, _)| *below == height) {
            hash = sha256(&[NODE, &left, &hash]);
            height += 1;
        }
        subtrees.push((height, hash));
    }
    subtrees
        .into_iter()
        .rev()
        .map(|(_, hash)| hash)
        .reduce(|right, left| sha256(&[NODE, &left, &right]))
        .unwrap_or_else(|| sha256(&[]))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition, word for word: split at the largest power of two below n.
    fn by_definition(leaves: &[Digest]) -> Digest {
        match leaves {
            [] => sha256(&[]),
            [only] => *only,
            many => {
                let split = many.len().next_power_of_two() / 2;
                let (left, right) = many.split_at(split);
                sha256(&[NODE, &by_definition(left), &by_definition(right)])
            }
        }
    }

    #[test]
    fn equals_the_definition_for_every_small_size() {
        let leaves: Vec<Digest> = (0..200u8).map(|n| sha256(&[LEAF, &[n]])).collect();
        for size in 0..=leaves.len() {
            assert_eq!(
                root(&leaves[..size]),
                by_definition(&leaves[..size]),
                "{size} leaves"
            );
        }
    }

    #[test]
    fn matches_the_known_answers_of_certificate_transparency() {
        let hex = |digest: Digest| data_encoding::HEXLOWER.encode(&digest);
        let leaf = |hex: &str| {
            sha256(&[
                LEAF,
                &data_encoding::HEXLOWER.decode(hex.as_bytes()).unwrap(),
            ])
        };
        let inputs = [
            "",
            "00",
            "10",
            "2021",
            "3031",
            "40414243",
            "5051525354555657",
        ];
        let leaves: Vec<Digest> = inputs.into_iter().map(leaf).collect();
        assert_eq!(
            hex(root(&[])),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        assert_eq!(
            hex(root(&leaves[..1])),
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
        );
        assert_eq!(
            hex(root(&leaves[..2])),
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"
        );
        assert_eq!(
            hex(root(&leaves[..7])),
            "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c"
        );
    }
}
