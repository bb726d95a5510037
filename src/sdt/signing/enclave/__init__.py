"""What a signer has only inside an enclave: the security module, the key service's answers, the first process."""
