// Package lib is hashicorp/memberlist with the build tag memberlist and gwyh without it, under the same
// names: what is written against lib runs on either. The two files that choose are the same but for the
// tag, the import and the name, which a test of the suite checks.
package lib
