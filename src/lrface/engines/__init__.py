"""Work spread over processes of this machine or of others, by engines that exist: Ray and submitit."""
