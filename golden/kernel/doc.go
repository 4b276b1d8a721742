// Package kernel holds tests only: networks are compiled, loaded into a kernel in every form that
// vnetc emits, and real packets are sent. The fate of each must be what ir.Eval says of the
// compiled program.
//
// Where the model and the kernel are not one, the tests keep out of the way or say so beside the
// probe: the host has no other rules and all policies accept; packets are whole; which state a
// packet has is given to ir.Eval and made here, by sending what comes before it.
package kernel
