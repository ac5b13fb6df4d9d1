//go:build race

package gossip

// thousand is the size of the large simulated clusters. The race detector finds in a tenth of them what
// it would find in all, and one goroutine is all there is.
const thousand = 100
