// Package memory divides the memory that a node may use among its stores. It does not account for single allocations: each
// store keeps to its share, and Reserve covers all stores whose bounds do not depend on the limit.
//
// The package has one file. Its test adds up the bounds of all stores.
package memory

import (
	"math"
	"reflect"
)

// Bounds of a limit, in bytes, for a node that may have the links of the default number of subscriptions. Others need more:
// see Links.
const (
	Default = 1152 << 20
	Min     = 960 << 20
	Max     = 64 << 30

	// Reserve is what the stores may use whose bounds do not depend on the limit.
	Reserve = 800 << 20

	subscriptions   = 5       // the default number
	perSubscription = 5 << 20 // of the link, and of those of four subscribers
)

// Links returns what must be added to Default, Min and Reserve for a node with that many subscriptions.
func Links(n int) int64 { return int64(max(n-subscriptions, 0)) * perSubscription }

// Shares are the bounds of the stores that depend on the limit, in bytes.
type Shares struct {
	Small    int // the ring of small messages, a power of two; it takes half as much again while it grows
	Records  int // what the node remembers about queued and sent packets of all peers
	Members  int // the member table
	Seen     int // ids of messages
	Messages int // messages that wait for the application
	Inbox    int // datagrams that wait for the loop
	Written  int // datagrams that wait for a transport of the application
	Polled   int // slices that GetBroadcasts returned
}

// shares are the shares under the default limit.
var shares = Shares{
	Small: 32 << 20, Records: 64 << 20, Members: 40 << 20, Seen: 16 << 20,
	Messages: 64 << 20, Inbox: 8 << 20, Written: 32 << 20, Polled: 8 << 20,
}

// Divide returns the shares under a limit of a node with that many subscriptions. The limit is at least Min plus Links.
func Divide(limit int64, subscriptions int) Shares {
	part := float64(limit-Links(subscriptions)-Reserve) / (Default - Reserve)
	of := func(share int) int { return int(min(float64(share)*part, math.MaxInt32/2)) }
	s := Shares{
		Small: shares.Small, Records: of(shares.Records), Members: of(shares.Members), Seen: of(shares.Seen),
		Messages: of(shares.Messages), Inbox: of(shares.Inbox), Written: of(shares.Written), Polled: of(shares.Polled),
	}
	for s.Small > of(shares.Small) {
		s.Small /= 2
	}
	for 2*s.Small <= of(shares.Small) {
		s.Small *= 2
	}
	return s
}

// OrDefault returns s, or the shares under the default limit if s is zero.
func (s Shares) OrDefault() Shares {
	if s == (Shares{}) {
		return shares
	}
	return s
}

// Sum returns the total of all shares.
func (s Shares) Sum() int64 {
	sum := int64(s.Small) + int64(s.Small)/2
	for _, share := range []int{s.Records, s.Members, s.Seen, s.Messages, s.Inbox, s.Written, s.Polled} {
		sum += int64(share)
	}
	return sum
}

// Map returns an upper bound of the memory of a map with n entries, in bytes. A map that has just grown is not half full.
func Map(n int, key, value uintptr) int { return n * int(key+value+1) * 16 / 7 }

// List returns an upper bound of the memory of a slice to which n elements were appended, in bytes.
func List(n int, element uintptr) int { return 2 * n * int(element) }

// LRU returns an upper bound of the memory of a quota.Map with n entries, in bytes.
func LRU(n int, key, value uintptr) int {
	const links = 64 // pointers of a list element, and what an allocation is rounded up by
	return Map(n, key, 8) + n*(int(key+value)+links)
}

// Of returns the size of a T in bytes.
func Of[T any]() uintptr { return reflect.TypeFor[T]().Size() }
