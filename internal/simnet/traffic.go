package simnet

// A Cause is a reason why a datagram was lost.
type Cause uint8

const (
	LostNone     Cause = iota
	LostOnLink         // dropped by the link's Loss
	LostInQueue        // the queue of an uplink, link or pipe was full
	LostToBlock        // a Block or Partition was in the way
	LostTooLong        // the datagram was longer than the link's MTU
	LostNoHost         // no host had the address, or the host there had crashed
	LostAtSocket       // the receiver's socket buffer was full
	LostInCrash        // the datagram was in the socket buffer when the host crashed
	numCauses
)

var causeNames = [numCauses]string{"none", "link", "queue", "block", "too long", "no host", "socket", "crash"}

func (c Cause) String() string { return causeNames[c] }

// Traffic counts datagrams and their payload bytes. Sent + Duplicated equals Delivered plus the sum of Lost plus the
// datagrams in flight or in a socket buffer.
type Traffic struct {
	Sent, SentBytes           uint64
	Delivered, DeliveredBytes uint64
	Duplicated, Reordered     uint64
	Lost                      [numCauses]uint64 // by Cause
}

// LostInAll returns the number of datagrams lost for any cause.
func (t Traffic) LostInAll() (sum uint64) {
	for _, n := range t.Lost {
		sum += n
	}
	return sum
}

func (t *Traffic) add(o *Traffic) {
	t.Sent += o.Sent
	t.SentBytes += o.SentBytes
	t.Delivered += o.Delivered
	t.DeliveredBytes += o.DeliveredBytes
	t.Duplicated += o.Duplicated
	t.Reordered += o.Reordered
	for i, c := range o.Lost {
		t.Lost[i] += c
	}
}

// HostTraffic counts what one host sent and received.
type HostTraffic struct {
	Sent, SentBytes         uint64
	Received, ReceivedBytes uint64
	Timeouts                uint64
}
