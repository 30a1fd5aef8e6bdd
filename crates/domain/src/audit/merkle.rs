//! The Merkle tree hash of RFC 6962 §2.1, from leaf hashes to the root, and the
//! paths that show one leaf to be in it.

use super::{Digest, sha256};

/// Prefix of a leaf's hash; it keeps a leaf from passing for a node.
pub(super) const LEAF: u8 = 0x00;
const NODE: u8 = 0x01;

/// The leaf of a batch's head in the tree of a span.
pub fn leaf_of_head(head: Digest) -> Digest {
    let mut entry = [LEAF; 33];
    for (to, from) in entry.iter_mut().skip(1).zip(head) {
        *to = from;
    }
    sha256(&entry)
}

/// A tree that grows leaf by leaf; it keeps one digest for each level.
///
/// Complete subtrees are joined as soon as they have a sibling of their size
/// (the binary counter's carry); the root folds what is left from the right,
/// which is the same tree that the RFC defines by splitting.
#[derive(Debug, Clone, Default)]
pub struct Tree {
    subtrees: Vec<(u32, Digest)>,
}

impl Tree {
    /// Adds a leaf behind the others.
    pub fn push(&mut self, leaf: Digest) {
        let mut height = 0;
        let mut hash = leaf;
        while let Some((_, left)) = self.subtrees.pop_if(|(below, _)| *below == height) {
            hash = node(&left, &hash);
            height += 1;
        }
        self.subtrees.push((height, hash));
    }

    /// The root over the leaves so far; that of none is SHA-256 of nothing.
    pub fn root(&self) -> Digest {
        self.subtrees
            .iter()
            .rev()
            .map(|(_, hash)| *hash)
            .reduce(|right, left| node(&left, &right))
            .unwrap_or_else(|| sha256(&[]))
    }
}

impl Extend<Digest> for Tree {
    fn extend<L: IntoIterator<Item = Digest>>(&mut self, leaves: L) {
        leaves.into_iter().for_each(|leaf| self.push(leaf));
    }
}

/// The root over leaf hashes.
pub fn root(leaves: &[Digest]) -> Digest {
    let mut tree = Tree::default();
    tree.extend(leaves.iter().copied());
    tree.root()
}

/// The audit path of the leaf at `index` (RFC 6962 §2.1.1): the siblings on its
/// way to the root, from below; `None` when there is no such leaf.
pub fn path(leaves: &[Digest], index: usize) -> Option<Vec<Digest>> {
    leaves.get(index)?;
    let (mut part, mut index) = (leaves, index);
    let mut siblings = Vec::new();
    while part.len() > 1 {
        let split = part.len().next_power_of_two() / 2;
        let (left, right) = part.split_at_checked(split)?;
        let (next, sibling) = if index < split {
            (left, right)
        } else {
            index -= split;
            (right, left)
        };
        siblings.push(root(sibling));
        part = next;
    }
    siblings.reverse();
    Some(siblings)
}

/// The root to which a path leads from the leaf at `index` of `size` (RFC 9162
/// §2.1.3.2); `None` when no tree of that size has such a path.
pub fn root_by_path(leaf: Digest, index: u64, size: u64, path: &[Digest]) -> Option<Digest> {
    let (mut index, mut last) = (index, size.checked_sub(1)?);
    if index > last {
        return None;
    }
    let mut hash = leaf;
    for sibling in path {
        if last == 0 {
            return None;
        }
        if index % 2 == 1 || index == last {
            hash = node(sibling, &hash);
            // A node without a sibling on its level moves up unchanged.
            while index % 2 == 0 && index != 0 {
                index /= 2;
                last /= 2;
            }
        } else {
            hash = node(&hash, sibling);
        }
        index /= 2;
        last /= 2;
    }
    (last == 0).then_some(hash)
}

fn node(left: &Digest, right: &Digest) -> Digest {
    let mut joined = [NODE; 65];
    for (to, from) in joined.iter_mut().skip(1).zip(left.iter().chain(right)) {
        *to = *from;
    }
    sha256(&joined)
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
                node(&by_definition(left), &by_definition(right))
            }
        }
    }

    fn leaves(count: u8) -> Vec<Digest> {
        (0..count).map(|n| sha256(&[LEAF, n])).collect()
    }

    #[test]
    fn equals_the_definition_for_every_small_size() {
        let leaves = leaves(200);
        for size in 0..=leaves.len() {
            assert_eq!(
                root(&leaves[..size]),
                by_definition(&leaves[..size]),
                "{size} leaves"
            );
        }
    }

    #[test]
    fn every_leaf_of_every_small_tree_has_a_path_to_the_root() {
        let leaves = leaves(70);
        for size in 1..=leaves.len() {
            let part = &leaves[..size];
            for (index, leaf) in part.iter().enumerate() {
                let path = path(part, index).unwrap();
                let reached = root_by_path(*leaf, index as u64, size as u64, &path);
                assert_eq!(reached, Some(root(part)), "{index} of {size}");
            }
            assert_eq!(path(part, size), None);
        }
    }

    #[test]
    fn no_other_leaf_place_size_or_path_leads_to_the_root() {
        let leaves = leaves(23);
        let whole = root(&leaves);
        for (index, leaf) in leaves.iter().enumerate() {
            let good = path(&leaves, index).unwrap();
            let reach = |leaf, index, size, path: &[Digest]| {
                root_by_path(leaf, index, size, path) == Some(whole)
            };
            let place = index as u64;
            assert!(!reach([9; 32], place, 23, &good));
            for other in (0..64).filter(|other| *other != place) {
                assert!(!reach(*leaf, other, 23, &good), "{index} at {other}");
            }
            for size in [0, 1, 2, 16, 64, u64::MAX] {
                assert!(!reach(*leaf, place, size, &good), "{index} of {size}");
            }
            assert!(!reach(*leaf, place, 23, &good[1..]));
            assert!(!reach(*leaf, place, 23, &[&good[..], &good[..1]].concat()));
            for step in 0..good.len() {
                let mut bad = good.clone();
                bad[step][31] ^= 1;
                assert!(!reach(*leaf, place, 23, &bad));
            }
        }
    }

    #[test]
    fn matches_the_known_answers_of_certificate_transparency() {
        let hex = |digest: Digest| data_encoding::HEXLOWER.encode(&digest);
        let leaf = |hex: &str| {
            let input = data_encoding::HEXLOWER.decode(hex.as_bytes()).unwrap();
            sha256(&[&[LEAF], input.as_slice()].concat())
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
