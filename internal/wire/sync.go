package wire

import "encoding/binary"

// A SyncRoot is a hash of the member table of its sender, and says when its sender heard the peer (PROTOCOL.md P7).
type SyncRoot struct {
	Root  uint64 // a hash over all members
	Count uint32 // members
	Heard uint32 // milliseconds since the sender opened a box of the receiver
	Next  uint32 // milliseconds until the sender's next heartbeat to the receiver, without jitter; 0 before the first one
	Salt  uint64 // of Root
}

// SyncBuckets are the hashes of some of the 1<<Bits buckets of the member table. The leading bits of the hash of
// its id determine the bucket of a member: {"SyncBuckets": [bits u8, first u32, hashes bin(8 k), salt u64]} (PROTOCOL.md P7).
type SyncBuckets struct {
	Bits   uint8  // at most SyncBitsMax
	First  uint32 // number of the bucket of the first hash
	Hashes []byte // 8 bytes each; aliases the input if parsed
	Salt   uint64 // of Hashes
}

// SyncWant requests the entries of some buckets: {"SyncWant": [bits u8, buckets bin(4 k)]}.
type SyncWant struct {
	Bits    uint8  // at most SyncBitsMax
	Buckets []byte // 4 bytes each; aliases the input if parsed
}

// SyncBitsMax is the maximum of Bits.
const SyncBitsMax = 24

// Len returns the number of hashes.
func (s *SyncBuckets) Len() int { return len(s.Hashes) / 8 }

// At returns the hash of bucket First+i.
func (s *SyncBuckets) At(i int) uint64 { return binary.BigEndian.Uint64(s.Hashes[8*i:]) }

// Add appends the hash of the next bucket.
func (s *SyncBuckets) Add(hash uint64) { s.Hashes = binary.BigEndian.AppendUint64(s.Hashes, hash) }

// Len returns the number of buckets.
func (s *SyncWant) Len() int { return len(s.Buckets) / 4 }

// At returns the number of the i-th requested bucket, below 1<<Bits.
func (s *SyncWant) At(i int) uint32 { return binary.BigEndian.Uint32(s.Buckets[4*i:]) }

// Add adds a request for a bucket.
func (s *SyncWant) Add(bucket uint32) { s.Buckets = binary.BigEndian.AppendUint32(s.Buckets, bucket) }

// AppendSyncRoot appends a message with s. It does not use go-msgpack, because one is sent with every heartbeat.
func AppendSyncRoot(b []byte, id MessageID, s SyncRoot) []byte {
	b = append(appendMessageHead(b, &id, "SyncRoot"), tagFixArray|5)
	return appendUint(appendUint(appendUint(appendUint(appendUint(b, s.Root), uint64(s.Count)), uint64(s.Heard)), uint64(s.Next)), s.Salt)
}

// ParseSyncRoot parses the Data of a KindSyncRoot.
func ParseSyncRoot(data []byte) (SyncRoot, error) {
	c := cursor{b: data}
	more := c.atLeast(5)
	s := SyncRoot{Root: c.uint(1<<64 - 1), Count: uint32(c.uint(1<<32 - 1)), Heard: uint32(c.uint(1<<32 - 1)), Next: uint32(c.uint(1<<32 - 1)), Salt: c.uint(1<<64 - 1)}
	c.skipN(more)
	return s, c.err
}

// AppendSyncBuckets appends a message with s.
func AppendSyncBuckets(b []byte, id MessageID, s SyncBuckets) []byte {
	s.Hashes = notNil(s.Hashes)
	return appendValue(appendMessageHead(b, &id, "SyncBuckets"), s)
}

// ParseSyncBuckets parses the Data of a KindSyncBuckets. Every bucket of the result is below 1<<Bits.
func ParseSyncBuckets(data []byte) (SyncBuckets, error) {
	c := cursor{b: data}
	more := c.atLeast(4)
	s := SyncBuckets{Bits: uint8(c.uint(SyncBitsMax)), First: uint32(c.uint(1<<32 - 1)), Hashes: c.bin(), Salt: c.uint(1<<64 - 1)}
	c.skipN(more)
	if c.err == nil && (len(s.Hashes)%8 != 0 || uint64(s.First)+uint64(s.Len()) > 1<<s.Bits) {
		c.fail(ErrMalformed)
	}
	return s, c.err
}

// AppendSyncWant appends a message with s.
func AppendSyncWant(b []byte, id MessageID, s SyncWant) []byte {
	s.Buckets = notNil(s.Buckets)
	return appendValue(appendMessageHead(b, &id, "SyncWant"), s)
}

// ParseSyncWant parses the Data of a KindSyncWant. Every bucket of the result is below 1<<Bits.
func ParseSyncWant(data []byte) (SyncWant, error) {
	c := cursor{b: data}
	more := c.atLeast(2)
	s := SyncWant{Bits: uint8(c.uint(SyncBitsMax)), Buckets: c.bin()}
	c.skipN(more)
	if len(s.Buckets)%4 != 0 {
		c.fail(ErrMalformed)
	}
	for i := 0; i < s.Len() && c.err == nil; i++ {
		if s.At(i) >= 1<<s.Bits {
			c.fail(ErrMalformed)
		}
	}
	return s, c.err
}

// notNil prevents go-msgpack from encoding an empty byte string as nil.
func notNil(s []byte) []byte {
	if s == nil {
		return []byte{}
	}
	return s
}
