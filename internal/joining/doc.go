// Package joining follows the contacts of a node with others: the handshakes that it begins, its Joins, and its
// departure.
//
// The package owns what each handshake is for, the progress and the deadlines of each Join, and the links that have not
// confirmed the departure of the node. It never sends anything, and knows neither members nor sessions. What the
// applications decide during a Join is not its concern either: the caller tells when that is done.
//
// Read join.go first. dial.go and leave.go stand alone.
package joining
