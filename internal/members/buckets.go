package members

import "math/bits"

// BucketBitsMax limits the number of buckets in a comparison of members: 2^14.
const BucketBitsMax = 14

// bucketFill is the average number of members per bucket of the index from which on the index doubles its buckets. A
// comparison uses buckets of 4 to 8 members on average (PROTOCOL.md Y2), so the index has at least as many as a comparison
// with a table that is up to 8/7 as large.
const bucketFill = 7

// A bucketIndex finds the live members of a bucket, and their sum, without a walk over all members. Its
// buckets are lists, linked through the places of the members, so each change takes constant time for any ids. A table
// with a Base has no index, and visits all entries.
type bucketIndex struct {
	bits  uint8   // the index has 2^bits buckets
	first []int32 // place of the first member of each bucket; -1 for none
	sums  []sum   // of the members of each bucket
}

// enter adds m, the last of the live members, to its bucket. n is its number.
func (x *bucketIndex) enter(live []*Entry, m *Entry, n *sum) {
	if x.first == nil || len(live) >= bucketFill<<x.bits && x.bits < BucketBitsMax {
		x.renew(live)
		return
	}
	x.link(live, m, n)
}

// renew rebuilds the index for the current number of live members.
func (x *bucketIndex) renew(live []*Entry) {
	n := uint8(min(bits.Len(uint(len(live)/bucketFill)), BucketBitsMax))
	*x = bucketIndex{bits: n, first: make([]int32, 1<<n), sums: make([]sum, 1<<n)}
	for i := range x.first {
		x.first[i] = -1
	}
	for _, m := range live {
		n := number(&m.digest)
		x.link(live, m, &n)
	}
}

// link puts a member at the front of its bucket.
func (x *bucketIndex) link(live []*Entry, m *Entry, n *sum) {
	b := Bucket(m.ID, x.bits)
	m.before, m.after = -1, x.first[b]
	if m.after >= 0 {
		live[m.after].before = m.place
	}
	x.first[b] = m.place
	x.sums[b].add(n)
}

// exit removes a member with the number n from its bucket, before the member is removed from live.
func (x *bucketIndex) exit(live []*Entry, m *Entry, n *sum) {
	x.relink(live, m, m.before, m.after)
	x.sumOf(m).remove(n)
}

// moved records that a member has moved to another place.
func (x *bucketIndex) moved(live []*Entry, m *Entry) { x.relink(live, m, m.place, m.place) }

// relink updates the members next to m in its bucket: the one before m then points to next, the one after m to prior.
func (x *bucketIndex) relink(live []*Entry, m *Entry, prior, next int32) {
	if m.before >= 0 {
		live[m.before].after = next
	} else {
		x.first[Bucket(m.ID, x.bits)] = next
	}
	if m.after >= 0 {
		live[m.after].before = prior
	}
}

// sumOf returns the sum of the bucket of a member, or nil if there is no index.
func (x *bucketIndex) sumOf(m *Entry) *sum {
	if x.first == nil {
		return nil
	}
	return &x.sums[Bucket(m.ID, x.bits)]
}

// around yields the live members of the index buckets that overlap the buckets [from, until) of 2^bits. It may yield
// members outside of that range.
func (x *bucketIndex) around(live []*Entry, bits uint8, from, until uint32) func(yield func(*Entry) bool) {
	if from >= until {
		return func(func(*Entry) bool) {}
	}
	if bits <= x.bits {
		from, until = from<<(x.bits-bits), until<<(x.bits-bits)
	} else {
		from, until = from>>(bits-x.bits), (until-1)>>(bits-x.bits)+1
	}
	return func(yield func(*Entry) bool) {
		for _, i := range x.first[from:until] {
			for i >= 0 {
				m := live[i]
				i = m.after
				if !yield(m) {
					return
				}
			}
		}
	}
}
